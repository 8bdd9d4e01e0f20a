/** Answers to who passes a callback, and to who leaves it out and waits for a promise. */

/** A callback as express-session has them: the error first, then what was asked for. */
export type Callback<Value = void> = (error?: unknown, value?: Value) => void

/** Calls back and answers `self` where there is a callback, else a promise. */
export function answered<Self, Value>(
  self: Self,
  callback: Callback<Value> | null | undefined,
  run: (done: Callback<Value>) => void,
): Self | Promise<Value> {
  if (typeof callback === 'function') {
    run(callback)
    return self
  }
  const promise = new Promise<Value>((resolve, reject) => {
    run((error, value) => {
      if (isFailure(error)) reject(error)
      else resolve(value as Value)
    })
  })
  // Nobody has to wait: `req.session.destroy()` on a line of its own must not end the process. The store's channel tells of it.
  promise.catch(() => undefined)
  return promise
}

/** Whether a callback's first value is an error; stores pass `null`, `undefined`, and older ones `false` or `0`, for none. */
export function isFailure(error: unknown): error is Error {
  return Boolean(error)
}

/** Narrows to functions, where a type could be one and more. */
export function isCallable<Value>(value: Value): value is Extract<Value, (...values: never[]) => unknown> {
  return typeof value === 'function'
}
