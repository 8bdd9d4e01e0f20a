import session, { Cookie, MemoryStore, Session, Store } from 'holdfast/express-session'

import tellStory from './story.cjs'

const same = [Cookie, MemoryStore, Session, Store].every((named) => session[named.name] === named)
void tellStory(session).then((story) => process.stdout.write(JSON.stringify({ ...story, same })))
