/** The same for `require()`: the function itself, which has the classes as its properties. */
import session from './index.ts'

module.exports = session
