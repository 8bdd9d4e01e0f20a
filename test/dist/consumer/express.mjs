import express from 'express'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/express'

import { tellStory } from './story.mjs'

const sessions = createSessions({ secret: 'one secret that is long enough for it', store: 'memory:' })
const app = express()
app.use(express.urlencoded({ extended: false }), holdfast(sessions))
app.get('/form', (req, res) => res.send(req.session.csrf.token()))
app.get('/count', (req, res) => res.send(String(req.session.data.count)))
app.post('/count', (req, res) => {
  req.session.data.count = (req.session.data.count ?? 0) + 1
  res.send(String(req.session.data.count))
})
const server = app.listen(0, () => {
  void tellStory(server.address().port, async () => {
    server.close()
    server.closeAllConnections()
    await sessions.close()
  })
})
