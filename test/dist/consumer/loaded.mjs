/** Runs the code that it is given as a module, and prints what was imported for it but Node's own: URLs, or names that were not found. */
import { writeFileSync } from 'node:fs'
import { register } from 'node:module'
import { MessageChannel } from 'node:worker_threads'

const END = 'data:text/javascript,/*the end*/'
const hooks = `
  let port
  export const initialize = (data) => { port = data.port }
  export async function resolve(specifier, context, next) {
    const resolved = await next(specifier, context).catch((error) => {
      port.postMessage(specifier)
      throw error
    })
    port.postMessage(resolved.url)
    return resolved
  }`

const program = new URL('loaded-program.mjs', import.meta.url)
const { port1, port2 } = new MessageChannel()
const imported = new Set()
const ended = new Promise((resolve) => {
  port1.on('message', (url) => (url === END ? resolve() : imported.add(url)))
})
register(`data:text/javascript,${encodeURIComponent(hooks)}`, import.meta.url, {
  data: { port: port2 },
  transferList: [port2],
})
writeFileSync(program, process.argv[2])
await import(program)
await import(END)
await ended
port1.close()
console.log(JSON.stringify([...imported].filter((url) => !url.startsWith('node:') && url !== program.href)))
