/** Sessions of other libraries, for the option `adopt`: who comes with one of them goes on with it, and signs in to nothing anew. */
export type { Adopted, Mirrored, OldSessions } from '../../core/old-sessions.ts'
export type { CookiePlace, SourceOptions } from './source-options.ts'
export type { MirroredCookie, MirrorOptions } from './mirroring.ts'
export type { OldStore } from './stored-sessions.ts'
export { type CookieSessionSource, fromCookieSession, type OldCookieSession } from './cookie-session.ts'
export { type ExpressSessionSource, fromExpressSession, type OldExpressSession } from './express-session.ts'
export { type FastifySessionSource, fromFastifySession, type OldFastifySession } from './fastify-session.ts'
export { fromIronSession, type IronSessionSource, type OldIronSession } from './iron-session.ts'
