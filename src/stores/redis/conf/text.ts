/** The text of a configuration file: every line with the reason for it above. */
import { OptionsError } from '../../../errors.ts'

/** One line of the file, and why it is there. */
export interface Setting {
  readonly why: string
  readonly line: string
}

export interface Section {
  readonly title: string
  readonly settings: readonly Setting[]
}

const WIDTH = 110

export function setting(why: string, name: string, ...values: readonly (string | number)[]): Setting {
  return { why, line: [name, ...values.map((value) => quoted(name, String(value)))].join(' ') }
}

/** The file: what stands at its head, then section after section; those without a setting are left out. */
export function fileText(head: readonly string[], sections: readonly Section[]): string {
  const parts = sections.filter(({ settings }) => settings.length > 0).map(sectionText)
  return `${[head.flatMap(comment).join('\n'), ...parts].join('\n\n')}\n`
}

function sectionText({ title, settings }: Section): string {
  const rule = `# ---- ${title} `.padEnd(WIDTH, '-')
  return [rule, ...settings.map(({ why, line }) => [...comment(why), line].join('\n'))].join('\n\n')
}

/** A paragraph as lines of comment; an empty one parts paragraphs. */
function comment(text: string): string[] {
  if (text === '') return ['#']
  const lines = ['#']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1) ?? ''} ${word}`
    if (line.length > WIDTH) lines.push(`# ${word}`)
    else lines[lines.length - 1] = line
  }
  return lines
}

/** A value as Redis reads it: with quotation marks where it has a blank, is empty, or has marks of its own. */
function quoted(name: string, value: string): string {
  // What ends a line would begin another setting.
  if (/\p{Cc}/u.test(value))
    throw new OptionsError(name, `A value for ${name} has a character that cannot be in a configuration file.`)
  if (value !== '' && !/[\s"'\\]/.test(value)) return value
  return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
