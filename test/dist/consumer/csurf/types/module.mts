import express from 'express'
import csurf, { type CookieOptions } from 'holdfast/csurf'

const cookie: CookieOptions = { key: 'guard', secure: true }
const app = express()
app.use(csurf({ cookie, secret: 'x' }))
app.get('/', (req, res) => {
  const token: string = req.csrfToken()
  res.send(token)
})
// @ts-expect-error -- this is no option
app.use(csurf({ stranger: true }))
