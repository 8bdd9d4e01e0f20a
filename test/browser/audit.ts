/** A small audit of a page, for those who read with a screen reader, with weak eyes, or on a small screen. Runs in the page. */

/** What is used of the browser's own types, which are not ours. */
interface Element {
  readonly tagName: string
  readonly id: string
  readonly innerText: string
  readonly textContent: string
  readonly parentElement: Element | null
  readonly childNodes: Iterable<{ readonly nodeType: number; readonly textContent: string }>
  readonly labels?: Iterable<Element> | null
  getAttribute(name: string): string | null
  checkVisibility(): boolean
  getBoundingClientRect(): { readonly width: number }
}

interface Browser {
  readonly document: {
    readonly documentElement: Element & { readonly scrollWidth: number; readonly clientWidth: number }
    readonly title: string
    getElementById(id: string): Element | null
    querySelectorAll(selector: string): Iterable<Element>
  }
  getComputedStyle(element: Element): { readonly color: string; readonly backgroundColor: string }
}

/** Everything that is wrong with the page, one line each. */
export function auditPage(): string[] {
  const { document, getComputedStyle } = globalThis as unknown as Browser
  const all = (selector: string): Element[] =>
    [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility())

  function names(): string[] {
    return all('a, button, input:not([type=hidden]), select, nav')
      .filter((control) => nameOf(control).trim() === '')
      .map((control) => `no name: ${control.tagName} ${control.id}`)
  }

  function nameOf(control: Element): string {
    const labels = [...(control.labels ?? [])].map((label) => label.innerText).join(' ')
    return control.getAttribute('aria-label') ?? (labels || control.innerText)
  }

  function references(): string[] {
    return ['for', 'aria-labelledby', 'aria-describedby'].flatMap((attribute) =>
      [...document.querySelectorAll(`[${attribute}]`)]
        .flatMap((element) => element.getAttribute(attribute)?.split(' ') ?? [])
        .filter((id) => document.getElementById(id) === null)
        .map((id) => `${attribute} leads nowhere: ${id}`),
    )
  }

  function structure(): string[] {
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
    const levels = all('h1, h2, h3, h4').map(({ tagName }) => Number(tagName[1]))
    return [
      ...['header', 'main', 'footer', 'nav', 'h1']
        .filter((part) => all(part).length !== 1)
        .map((part) => `not one ${part}`),
      ...levels
        .filter((level, at) => level > (levels[at - 1] ?? 0) + 1)
        .map((level) => `a heading of level ${level} comes too soon`),
      ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `twice the same id: ${id}`),
      ...all('svg:not([aria-hidden=true])').map(() => 'a drawing that is not hidden from screen readers'),
      ...(document.documentElement.getAttribute('lang') === 'en' ? [] : ['no language']),
      ...(document.title === '' ? ['no title'] : []),
    ]
  }

  function width(): string[] {
    const { scrollWidth, clientWidth } = document.documentElement
    return scrollWidth > clientWidth ? [`${scrollWidth} px wide on a screen of ${clientWidth} px`] : []
  }

  /** WCAG 2.2, success criterion 1.4.3: 4.5 to 1 between text and what is behind it. */
  function contrasts(): string[] {
    return all('body *')
      .filter((element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ''),
      )
      .filter((element) => element.getBoundingClientRect().width > 1)
      .map((element) => ({ element, ratio: ratioOf(element) }))
      .filter(({ ratio }) => ratio < 4.5)
      .map(({ element, ratio }) => `${ratio.toFixed(2)} to 1: ${element.textContent.trim().slice(0, 40)}`)
  }

  function ratioOf(element: Element): number {
    const text = luminance(channels(getComputedStyle(element).color))
    const ground = luminance(channels(groundOf(element)))
    return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
  }

  function groundOf(element: Element | null): string {
    if (element === null) return 'rgb(255, 255, 255)'
    const { backgroundColor } = getComputedStyle(element)
    return backgroundColor === 'rgba(0, 0, 0, 0)' ? groundOf(element.parentElement) : backgroundColor
  }

  function channels(color: string): number[] {
    return (color.match(/[\d.]+/g) ?? []).slice(0, 3).map((channel) => Number(channel) / 255)
  }

  function luminance([red = 0, green = 0, blue = 0]: number[]): number {
    const linear = (channel: number): number =>
      channel <= 0.040_45 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
  }

  return [...names(), ...references(), ...structure(), ...width(), ...contrasts()]
}
