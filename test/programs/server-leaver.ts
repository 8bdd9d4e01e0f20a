/** Starts servers, prints their process ids and directories as JSON, and ends without stopping them. */
import { startCluster } from '../support/redis-cluster.ts'
import { startSentinels } from '../support/redis-sentinel.ts'

const [watched, cluster] = await Promise.all([startSentinels(), startCluster()])
const servers = [...watched.nodes, ...watched.sentinels, ...cluster.nodes]
process.stdout.write(JSON.stringify(servers.map(({ pid, directory }) => ({ pid, directory }))), () => process.exit())
