import express from 'express'
import session, { Store, type SessionOptions } from 'holdfast/express-session'

declare module 'express-session' {
  interface SessionData {
    user?: string
  }
}

abstract class Mine extends Store {}

const options: SessionOptions = { secret: 'x', touchInterval: 5_000 }
const app = express()
app.use(session({ ...options, store: undefined as unknown as Mine }))
app.get('/', async (req, res) => {
  const user: string | undefined = req.session.user
  const saved: Promise<void> = req.session.save()
  await saved
  res.send(user)
})
// @ts-expect-error -- this is not declared
app.get('/', (req) => req.session.stranger)
