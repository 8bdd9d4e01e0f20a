import csurf from 'holdfast/csurf'

import tellStory from './story.cjs'

void tellStory(csurf).then((story) => process.stdout.write(JSON.stringify(story)))
