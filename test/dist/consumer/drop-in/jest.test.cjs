/* global test, expect */
const session = require('holdfast/express-session')

const tellStory = require('./story.cjs')

test('the drop-in serves', async () => {
  expect(await tellStory(session)).toEqual({
    names: ['Cookie', 'MemoryStore', 'Session', 'Store'],
    counts: ['1', '2'],
  })
})
