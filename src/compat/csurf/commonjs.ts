/** The same for `require()`: the function itself. */
import csurf from './index.ts'

module.exports = csurf
