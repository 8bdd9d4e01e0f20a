/** The same for `require()`. */
import { RedisStore } from './index.ts'

module.exports = { RedisStore }
