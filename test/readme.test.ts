import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it.each(['express', 'fastify'])('the README shows the %s example as it is run', (example) => {
  const shown = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const run = readFileSync(new URL(`../examples/${example}.ts`, import.meta.url), 'utf8')
  expect(shown).toContain(`\`\`\`ts\n${run}\`\`\`\n`)
})
