/** What went wrong in LMDB, in words for the one who has to mend it. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  if (code === 28 || code === 'ENOSPC') return 'the disk is full.'
  if (code === 122 || code === 'EDQUOT') return 'the disk quota is used up.'
  if (code === 5 || code === 'EIO') return 'the disk reports an input/output error.'
  return `${error.message}.`
}

/** The system's name for an error (`ENOSPC`), or LMDB's number. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** LMDB's promise says only that the commit failed; why, a promise at that error says a little later. */
export async function causeOf(failure: unknown): Promise<unknown> {
  if (!(failure instanceof Error) || !('commitError' in failure) || !(failure.commitError instanceof Promise))
    return failure
  const reason = failure.commitError.then(
    () => failure,
    (cause: unknown) => cause,
  )
  // Where LMDB knows no reason, its promise never settles.
  const silence = new Promise<unknown>((resolve) => {
    setImmediate(resolve, failure)
  })
  return Promise.race([reason, silence])
}
