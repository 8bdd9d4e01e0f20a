/** A page's script, with the types of browsers and none of Node's. */
import { csrf, type Csrf, type CsrfOptions, type SessionEnded } from 'holdfast/browser'

const options: CsrfOptions = { token: () => document.body.dataset['token'], fetch: window.fetch }
const { fetch, field, forms, token }: Csrf = csrf(options)
window.fetch = fetch

export async function send(form: HTMLFormElement, submitter: HTMLElement | null): Promise<Response> {
  field(form, submitter)
  const stop: () => void = forms()
  stop()
  const known: string | undefined = token()
  const answer: Response = await fetch(new URL(form.action), { method: 'POST', body: new FormData(form) })
  addEventListener('holdfast:session-ended', (event) => {
    const { reason }: SessionEnded = (event as CustomEvent<SessionEnded>).detail
    document.title = reason ?? known ?? ''
  })
  // @ts-expect-error -- a token is found at once or not at all
  csrf({ token: async () => 'later' })
  return answer
}
