import express = require('express')
import session = require('holdfast/express-session')

declare module 'express-session' {
  interface SessionData {
    user?: string
  }
}

const options: session.SessionOptions = { secret: 'x', touchInterval: 5_000, whenStoreFails: 'refuse' }
const app = express()
app.use(session({ ...options, store: new session.MemoryStore(), resave: false, saveUninitialized: false }))
app.get('/', async (req, res) => {
  const user: string | undefined = req.session.user
  req.session.save((error: unknown) => res.send(String(error)))
  const saved: Promise<void> = req.session.save()
  await saved
  await req.session.regenerate()
  req.session.destroy(() => res.send(user))
})
// @ts-expect-error -- this is not declared
app.get('/', (req) => req.session.stranger)
