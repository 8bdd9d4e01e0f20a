const { RedisStore } = require('holdfast/connect-redis')

const tellStory = require('./story.cjs')

void tellStory(RedisStore).then((story) => process.stdout.write(JSON.stringify(story)))
