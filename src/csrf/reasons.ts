/** What is said about each refusal: to the visitor, who did nothing wrong, and to the developer, who can mend it. */
import type { CsrfReason } from '../errors.ts'

export interface ReasonText {
  /** For the page or the `detail` that the visitor gets. Tells nothing about how the application is protected. */
  readonly visitor: string
  /** For the log and the error's message: what happened, and which line or option to change. */
  readonly developer: string
}

/** The sentences, one pair for each reason of the closed list. */
export const REASONS: Readonly<Record<CsrfReason, ReasonText>> = {
  'token-missing': {
    visitor: 'This form was sent without its security token. Please open the page again and send it once more.',
    developer:
      'No token came, and one is needed here: put session.csrf.field() into the form, or send session.csrf.token() as the header x-csrf-token.',
  },
  'token-forged': {
    visitor: 'The security token of this form could not be read. Please open the page again and send it once more.',
    developer:
      'The token was not made by a key in secret, was altered, or stands twice in the form: put session.csrf.field() in once, and while secrets change list the new one under secret.verify on every server first.',
  },
  'token-stale': {
    visitor: 'This form is from an earlier visit. Please open the page again and send it once more.',
    developer:
      'The token was made for a visit that is over, or before sign-in: render the form again after signIn, and never cache a page with session.csrf.field() for several visitors.',
  },
  'token-other-session': {
    visitor: 'This form belongs to a sign-in that has been replaced. Please open the page again and send it once more.',
    developer:
      'The token was made for another signed-in session: render the form again after signIn, and send pages with session.csrf.field() with Cache-Control: private or no-store.',
  },
  'wrong-path': {
    visitor:
      'This form was sent to another address than it was made for. Please open the page again and send it once more.',
    developer:
      'The token was made for another path: pass session.csrf.token(path) exactly the path that the router sees, without query, or no path at all.',
  },
  'origin-refused': {
    visitor: 'This request came from another website and was not carried out.',
    developer:
      "The browser says that another origin's page sent this: set origin to what browsers call this application, and list sites that may post to it in trustedOrigins, or in callbacks for one route.",
  },
  'no-evidence': {
    visitor:
      'It could not be seen where this request came from, so it was not carried out. Please open the page again and send it once more.',
    developer:
      'Neither Sec-Fetch-Site, Origin, Referer nor a token came, and this needs one of them: send session.csrf.token() as the header x-csrf-token, or exempt the route with [dangerouslySkipCsrf] and its reason.',
  },
  'body-not-parsed': {
    visitor: 'This form could not be checked. Please open the page again and send it once more.',
    developer:
      'The body was not parsed yet, so a token in it could not be seen: move holdfast(sessions) below the body parsers, or list the route in checkLater and put csrf() after its own parser.',
  },
  'session-ended': {
    visitor: 'Your session is over. Please sign in again, then send the form once more.',
    developer:
      'The token was made for a session that has ended: ask the visitor to sign in and render the form again; idleTimeout and absoluteTimeout say when sessions end by themselves.',
  },
}
