const csurf = require('holdfast/csurf')

const tellStory = require('./story.cjs')

void tellStory(csurf).then((story) => process.stdout.write(JSON.stringify(story)))
