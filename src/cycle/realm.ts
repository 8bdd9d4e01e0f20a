/** The cycles of one kind in one session. */
import type { Services } from '../core/services.ts'
import type { Bond } from '../core/session.ts'
import type { Lineage } from '../csrf/token.ts'
import * as channels from '../telemetry/channels.ts'
import { indexOf, ownerOf, type Owner } from './cycle-id.ts'
import { CycleError, type CycleErrorCode, type CycleErrorDetails } from './errors.ts'
import type { CycleSettings } from './options.ts'

/** What happens to a final step, as the channel says it. */
export type News = 'done' | 'failed' | 'reopened' | 'repeated' | 'in-doubt' | 'lost'

export class Realm<State> {
  readonly settings: CycleSettings<State>
  readonly services: Services
  readonly lineage: Lineage
  readonly handle: string | undefined
  readonly owner: Owner
  readonly #bond: Bond

  constructor(settings: CycleSettings<State>, bond: Bond, lineage: Lineage, handle: string | undefined) {
    const { services } = bond
    this.settings = settings
    this.services = services
    this.#bond = bond
    this.lineage = lineage
    this.handle = handle
    this.owner = ownerOf(services.settings.name, settings.kind, lineage)
  }

  /** Under which name the store has the index of its open cycles. */
  get index(): string {
    return indexOf(this.owner)
  }

  /** Milliseconds from a beginning to the end, for cycles that begin now. */
  get lifetime(): number {
    return this.settings.lifetime ?? this.services.settings.timers.absolute
  }

  /** A token goes into the answer, which from now on is this visitor's alone. */
  noteToken(): void {
    this.#bond.noteToken()
  }

  /** Whether the browser's id leads to what is kept here. */
  entitled(): Promise<boolean> {
    return this.#bond.entitled()
  }

  /** Throws `CycleError` where it does not any more. */
  async refuseOutgrown(): Promise<void> {
    if (await this.entitled()) return
    throw this.error(
      'ERR_CYCLE_ENDED',
      'The id that this browser brought was left behind by a sign-in, a renewal or an end.',
    )
  }

  now(): number {
    return this.services.clock.now()
  }

  error(code: CycleErrorCode, message: string, details: CycleErrorDetails = {}): CycleError {
    return new CycleError(code, `${message} (${this.settings.kind})`, { handle: this.handle, ...details })
  }

  tell(what: News, idempotencyKey: string): void {
    if (!channels.cycle.hasSubscribers) return
    channels.cycle.publish({ cycle: this.settings.kind, what, handle: this.handle, idempotencyKey })
  }

  /** Logs what the operator has to know. What comes of it changes nothing: the effect has happened. */
  warn(message: string, about: { readonly idempotencyKey: string; readonly error?: unknown }): void {
    try {
      this.services.settings.log.error({ cycle: this.settings.kind, handle: this.handle, ...about }, message)
    } catch {
      // A logger that fails must not make a failure of a step that went well.
    }
  }
}

/** The realm of what the browser has; `undefined` while it has no id of ours. */
export function realmOf<State>(
  settings: CycleSettings<State>,
  bond: Bond,
  handle: string | undefined,
): Realm<State> | undefined {
  const lineage = bond.lineage()
  return lineage === undefined ? undefined : new Realm(settings, bond, lineage, handle)
}
