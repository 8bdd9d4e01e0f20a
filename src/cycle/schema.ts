/** Validators with the Standard Schema interface (standardschema.dev, version 1), as far as cycles call them. */
import { CycleError, type Issue } from './errors.ts'

export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Judged<Output> | Promise<Judged<Output>>
  }
}

type Judged<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly Issue[] }

/** The state as the schema has it. Throws `CycleError` with the schema's complaints. */
export async function validated<State>(schema: StandardSchema<State> | undefined, state: State): Promise<State> {
  if (schema === undefined) return state
  const judged = await schema['~standard'].validate(state)
  if (judged.issues === undefined) return judged.value
  const [first] = judged.issues
  throw new CycleError(
    'ERR_CYCLE_STATE',
    `The cycle's state is not as its schema wants it: ${first?.message ?? 'refused'}.`,
    {
      issues: judged.issues,
    },
  )
}
