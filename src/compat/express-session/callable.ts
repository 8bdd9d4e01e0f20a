/**
 * A class that may also be called on an object that inherits from it, as constructors were before there were classes:
 * `Store.call(this)`, with `util.inherits`. For others to use: what V8 makes by a proxy it makes slowly.
 */
export function callable<Class extends abstract new (...values: never[]) => object>(original: Class): Class {
  const called = new Proxy(original, {
    apply(target, self: object, values: never[]) {
      Object.defineProperties(self, Object.getOwnPropertyDescriptors(Reflect.construct(target, values) as object))
    },
  })
  Object.defineProperty(original.prototype, 'constructor', { value: called, writable: true, configurable: true })
  return called
}
