import express = require('express')
import csurf = require('holdfast/csurf')

const cookie: csurf.CookieOptions = { key: 'guard', secure: true }
const app = express()
app.use(csurf({ cookie, secret: ['x', 'y'], ignoreMethods: ['GET'], value: (req) => req.headers['my-token'] }))
app.get('/', (req, res) => {
  const token: string = req.csrfToken()
  res.send(token)
})
// @ts-expect-error -- this is no option
app.use(csurf({ stranger: true }))
