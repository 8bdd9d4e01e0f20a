/** What a visitor sees when no server answers. The balancer says it, so it stands by itself. */

/** The two pages, or the files that they are in. */
export interface SorryPages {
  /** 502: the server died while it had the request. */
  readonly interrupted: string
  /** 503: no server took the request. */
  readonly nobody: string
}

export const SORRY: SorryPages = {
  interrupted: page(
    'The server went away with your request',
    'It died after it had received what you sent and before it answered. Whether it did what you asked is not known here: open the page again and look.',
    // The address of what was asked for, which this link asks for without sending anything.
    '<a href="">Open the page again</a>',
  ),
  nobody: page(
    'Both servers are down',
    'Nothing of what you sent has been received. A killed server is started again after a few seconds; then reload this page.',
    '<a href="/">Start again</a>',
  ),
}

function page(title: string, text: string, wayOn: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark }
  body { font: 1.0625rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto 0; padding: 0 1.25rem }
  h1 { font-size: 1.5rem; line-height: 1.25 }
</style>
<main>
  <h1>${title}</h1>
  <p>${text}</p>
  <p>${wayOn}</p>
</main>
</html>
`
}
