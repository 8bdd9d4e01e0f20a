/** Drawing as text: the elements that the charts need, and the sheet that they are on. */

export const WIDTH = 860
export const LINE = 22
/** Around everything. */
export const MARGIN = 16
const SOURCE_LINE = 15

/** What the shape of a value says beside its colour, so that none is told by colour alone. */
export type Colour = 'bare' | 'holdfast' | 'other'

interface Sheet {
  /** Without the source. */
  readonly height: number
  readonly title: string
  /** All that the chart shows, in words: for those who do not see it. */
  readonly description: string
  /** Where the figures come from, in lines. */
  readonly source: readonly string[]
  readonly elements: readonly string[]
}

/** Light and dark by what the reader prefers. The colours are Okabe's and Ito's, which all eyes tell apart. */
const STYLE = `
    text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2933}
    .title{font-size:16px;font-weight:600}.heading{font-weight:600}.small{font-size:11px;fill:#52606d}.end{text-anchor:end}.mid{text-anchor:middle}
    .bare{fill:#7b8794;stroke:#7b8794}.holdfast{fill:#0072b2;stroke:#0072b2}.other{fill:#d55e00;stroke:#d55e00}
    .hatch{fill-opacity:.3}.axis{stroke:#cbd2d9}.whisker{stroke:#1f2933;stroke-width:1.5}
    @media(prefers-color-scheme:dark){text{fill:#e4e7eb}.small{fill:#a3b0bd}.bare{fill:#9aa5b1;stroke:#9aa5b1}.holdfast{fill:#56b4e9;stroke:#56b4e9}
    .other{fill:#e69f00;stroke:#e69f00}.axis{stroke:#3e4c59}.whisker{stroke:#e4e7eb}}
    .line{fill:none;stroke-width:2}
  `

/** A whole file. */
export function svg({ height, title, description, source, elements }: Sheet): string {
  const whole = height + source.length * SOURCE_LINE + MARGIN
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${round(whole)}" role="img" aria-labelledby="t d">`,
    `  <title id="t">${escaped(title)}</title>`,
    `  <desc id="d">${escaped(description)}</desc>`,
    `  <style>${STYLE}</style>`,
    ...[
      text(MARGIN, MARGIN + 12, title, 'title'),
      ...elements,
      ...source.map((said, at) => text(MARGIN, height + (at + 1) * SOURCE_LINE, said, 'small')),
    ].map((element) => `  ${element}`),
    '</svg>',
    '',
  ].join('\n')
}

export function text(x: number, y: number, content: string, style = ''): string {
  const attribute = style === '' ? '' : ` class="${style}"`
  return `<text x="${round(x)}" y="${round(y)}"${attribute}>${escaped(content)}</text>`
}

export function rectangle(x: number, y: number, width: number, height: number, style: string): string {
  const size = `width="${round(width)}" height="${round(height)}"`
  return `<rect x="${round(x)}" y="${round(y)}" ${size} class="${style}"/>`
}

export function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${style}"/>`
}

export function path(points: readonly (readonly [number, number])[], style: string, dashes = ''): string {
  const steps = points.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('')
  return `<path d="${steps}" class="${style}"${dashes === '' ? '' : ` stroke-dasharray="${dashes}"`}/>`
}

/** Shapes that are told apart without their colours. */
export type Mark = 'circle' | 'square' | 'diamond' | 'triangle'

export function mark(kind: Mark, x: number, y: number, style: string): string {
  const at = (dx: number, dy: number): string => `${round(x + dx)} ${round(y + dy)}`
  if (kind === 'circle') return `<circle cx="${round(x)}" cy="${round(y)}" r="4.5" class="${style}"/>`
  const corners = {
    square: [at(-4, -4), at(4, -4), at(4, 4), at(-4, 4)],
    diamond: [at(0, -5.5), at(5.5, 0), at(0, 5.5), at(-5.5, 0)],
    triangle: [at(0, -5), at(5, 4), at(-5, 4)],
  }[kind]
  return `<path d="M${corners.join('L')}Z" class="${style}"/>`
}

/** `12 345`, `12.3`, `0.12`, `0.012`: as many digits as say something. */
export function figure(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en').replaceAll(',', ' ')
  if (value >= 10) return value.toFixed(1)
  return value >= 0.1 ? value.toFixed(2) : value.toFixed(3)
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
