/** The little of a browser that shows whether a session and its token hold. */

/** @param {string} origin */
export function browser(origin) {
  /** @type {Map<string, string>} */
  const cookies = new Map()

  /** @param {string} path @param {RequestInit} [init] */
  async function request(path, init = {}) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(origin + path, { ...init, headers: { ...init.headers, cookie } })
    for (const line of response.headers.getSetCookie()) keep(line)
    return { status: response.status, body: await response.text() }
  }

  /** @param {string} line */
  function keep(line) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/max-age=0/i.test(line)) cookies.delete(name)
    else cookies.set(name, value)
  }

  return {
    /** @param {string} path */
    get: (path) => request(path),
    /** @param {string} path @param {Record<string, string>} fields @param {Record<string, string>} [headers] */
    post: (path, fields, headers = {}) => request(path, { method: 'POST', body: new URLSearchParams(fields), headers }),
  }
}
