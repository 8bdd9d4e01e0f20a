/** A process that searches, and says what it found: `node searcher.js` with a `Searching` as its argument. */
import { type Searching, search } from './search.ts'

const searched = await search(JSON.parse(process.argv[2] ?? '') as Searching)
process.send?.(searched)
process.disconnect?.()
