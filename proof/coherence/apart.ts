/**
 * For `node --import`: in such a process 'holdfast' is its modules as the compiler makes them, one file each, and not the
 * package, in which a part that has no public name cannot be got at.
 */
import { register } from 'node:module'

register('./apart-resolve.js', import.meta.url)
