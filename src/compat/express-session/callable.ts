/**
 * A class that may also be called on an object that inherits from it, as constructors were before there were classes:
 * `Store.call(this)`, with `util.inherits`.
 */
export function callable<Class extends new (...values: never[]) => object>(original: Class): Class {
  const called = new Proxy(original, {
    apply(target, self: object, values: never[]) {
      Object.defineProperties(self, Object.getOwnPropertyDescriptors(new target(...values)))
    },
  })
  Object.defineProperty(original.prototype, 'constructor', { value: called, writable: true, configurable: true })
  return called
}
