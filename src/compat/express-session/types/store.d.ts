/** Typed as a store of `@types/express-session`, like what it is given to. */
import type { Store } from 'express-session'

import type { Sessions } from '../../../types.ts'

/**
 * A store for express-session whose sessions are kept by this manager: two requests that change different places both
 * keep their change, what was ended stays so on every server, and the store is of no use to a thief. How long a session
 * lives is what the manager says. Throws `OptionsError` for what is no manager.
 */
export declare function holdfastStore<Data extends object>(sessions: Sessions<Data>): Store
