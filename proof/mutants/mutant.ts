/**
 * A mutant: our own code with one protection taken out, to see whether what looks for violations finds this one. It is made
 * of the source as it is read, in one process only; the files stay as they are.
 */
import ts from 'typescript-6'

import type { RuleName } from '../checker/violations.ts'
import type { Run } from '../history/history.ts'

export type Invariant = `I${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13}`

export interface Replacement {
  /** From the project's folder. */
  readonly file: string
  /** What stands there exactly once. */
  readonly text: string
  readonly by: string
}

/** Under which circumstances visitors come to see it. */
export interface Circumstances {
  readonly store: Run['store']
  readonly durability?: Run['durability']
  /** Names of faults that come in turn. None: nothing happens to the deployment. */
  readonly faults: readonly string[]
}

/** A test that fails with it. */
export interface Catcher {
  readonly project: 'unit' | 'contract' | 'flow' | 'fault'
  readonly file: string
  /** Of its title. */
  readonly title: string
}

export interface Mutant {
  /** For the command line. */
  readonly name: string
  readonly invariant: Invariant
  /** What is missing, in a sentence without a subject: `replaces a record whatever its version`. */
  readonly about: string
  readonly replaces: readonly Replacement[]
  /** The checker finds one of them at least. Empty: visitors do not see it in a short run, and the test alone catches it. */
  readonly caughtAs: readonly RuleName[]
  /** Where visitors see it. Absent where `caughtAs` is empty. */
  readonly shows?: Circumstances
  readonly test: Catcher
  /** The simulation finds one of them. Absent: it does not see it. */
  readonly simulated?: readonly RuleName[]
}

/** The source of a file with what the mutant puts there. Throws where a text is not there exactly once. */
export function mutated({ name, replaces }: Mutant, file: string, source: string): string {
  let made = source
  for (const { text, by } of replaces.filter((one) => one.file === file)) {
    const parts = made.split(text)
    if (parts.length !== 2)
      throw new Error(`The mutant ${name} does not fit ${file}: this stands there ${parts.length - 1} times:\n${text}`)
    made = parts.join(by)
  }
  return made
}

/** What the compiler makes of a module of ours. Throws where it does not parse. */
export function compiled(file: string, source: string): string {
  const { outputText, diagnostics = [] } = ts.transpileModule(source, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  })
  if (diagnostics.length > 0)
    throw new Error(
      `${file}: ${diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')).join('; ')}`,
    )
  return outputText
}
