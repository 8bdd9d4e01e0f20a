const { inherits } = require('node:util')

const session = require('holdfast/express-session')

const tellStory = require('./story.cjs')

function Legacy() {
  session.Store.call(this)
}
inherits(Legacy, session.Store)
const same = new Legacy() instanceof session.Store
void tellStory(session).then((story) => process.stdout.write(JSON.stringify({ ...story, same })))
