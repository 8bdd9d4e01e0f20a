import { RedisStore } from 'holdfast/connect-redis'

import tellStory from './story.cjs'

void tellStory(RedisStore).then((story) => process.stdout.write(JSON.stringify(story)))
