/** One story for every framework: a form is opened, submitted, forged. */
import { browser } from './browser.mjs'

/**
 * Prints what came of it, as JSON.
 * @param {number} port
 * @param {() => Promise<void>} close
 */
export async function tellStory(port, close) {
  const { get, post } = browser(`http://localhost:${port}`)
  const first = await get('/form')
  const saved = await post('/count', { _csrf: first.body })
  const again = await post('/count', { _csrf: first.body })
  const forged = await post('/count', { _csrf: `${first.body}x` })
  const missing = await post('/count', {})
  const foreign = await post('/count', { _csrf: first.body }, { 'sec-fetch-site': 'cross-site' })
  const after = await get('/count')
  await close()
  const refused = [forged, missing, foreign].map(({ status }) => status)
  process.stdout.write(JSON.stringify({ counts: [saved.body, again.body, after.body], refused }))
}
