/**
 * For `node --import`, as `importing()` has it: in such a process 'holdfast' is its modules one by one and not the package,
 * in which a part that has no public name cannot be got at, and the modules that a mutant replaces are made anew.
 */
import { register } from 'node:module'

register('./hooks.js', import.meta.url, { data: new URL(import.meta.url).searchParams.get('mutant') })
