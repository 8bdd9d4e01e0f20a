import { adapterContract } from 'holdfast/testing'
import { describe, it } from 'vitest'

import { EXPRESSES, expressHarness } from './harness/express.ts'
import { fastifyHarness } from './harness/fastify.ts'
import { nodeHarness } from './harness/node.ts'

adapterContract('node:http', nodeHarness, { describe, it })
for (const [name, create] of Object.entries(EXPRESSES)) adapterContract(name, expressHarness(create), { describe, it })
adapterContract('Fastify 5', fastifyHarness, { describe, it })
