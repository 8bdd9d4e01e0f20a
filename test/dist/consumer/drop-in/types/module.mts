import express from 'express'
import { createSessions } from 'holdfast'
import session, { MemoryStore, Store, type SessionData, type SessionOptions } from 'holdfast/express-session'
import { holdfastStore } from 'holdfast/express-session/store'

declare module 'express-session' {
  interface SessionData {
    user?: string
  }
}

const options: SessionOptions = { secret: 'x', storeDeadline: 5_000 }
const own: Store = holdfastStore(createSessions<{ name?: string }>({ store: 'memory:' }))
const store: Store = options.store === undefined ? new MemoryStore() : own
const more: session.SessionOptions = options
const data: Partial<SessionData> = { user: 'ada' }
const app = express()
app.use(session({ ...more, store, resave: false, saveUninitialized: false }))
app.get('/', async (req, res) => {
  req.session.user = data.user
  const done: Promise<void> = req.session.destroy()
  await done
  req.session.regenerate((error: unknown) => res.send(String(error)))
})
// @ts-expect-error -- this is not declared
app.get('/', (req) => req.session.stranger)
