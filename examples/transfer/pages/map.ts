/** The diagram: browser, balancer, two servers, and where sessions live. It marks who did what for this step. */
import type { ServerSight } from '../surroundings.ts'
import { SERVER_NAMES, type ServerName } from '../worlds.ts'
import { html, type Html } from './html.ts'
import { addressOf, type Page, type View } from './view.ts'
import { whatHappened } from './words.ts'

export function map(view: View, page: Page): Html {
  const { world, server, madeBy, surroundings } = view
  const made = madeBy === undefined ? '' : `made-${madeBy}`
  return html`<section class="card" aria-labelledby="map-title">
    <h2 id="map-title">${whatHappened(view)}</h2>
    <div class="map stores-${world.store} answered-${server} ${made} ${view.work.trips.length > 0 && 'tripped'}">
      <div class="node browser">
        <h3>Your browser</h3>
        <p>cookie <code>${world.id}-${cookieRank(view)}</code></p>
      </div>
      ${LINE}
      <div class="node balancer">
        <h3>Balancer</h3>
        <p>${surroundings.balancer}</p>
        <p>${world.balancing === 'pins' ? 'pins you by a cookie' : 'alternates strictly'}</p>
      </div>
      ${fork('fan-out')} ${SERVER_NAMES.map((name) => serverNode(view, page, name))}
      ${world.store === 'one' ? [fork('fan-in'), ONE_STORE] : SERVER_NAMES.map(ownStore)}
    </div>
    <p class="live" role="status" id="live">${liveWords(view, page)}</p>
  </section>`
}

/** The cookie that counts: of a session, whether this server knows it or not, or of a visitor with nothing stored. */
function cookieRank({ session }: View): string {
  return session.userId === undefined && session.status !== 'lapsed' ? 'visit' : 'sid'
}

/** What the server did that answers. */
function part({ token }: View): string {
  if (token === 'none sent') return 'answered'
  return token === 'accepted' ? 'received it' : 'refused it'
}

function serverNode(view: View, page: Page, name: ServerName): Html {
  const { state, pid } = view.surroundings.servers[name]
  const answers = view.server === name
  const roles = [
    view.madeBy === name && 'made the form',
    page.cycle?.carriedOutBy === name && 'carried it out',
    answers && part(view),
  ].filter((role) => role !== false)
  return html`<div class="node server server-${name}" data-server="${name}" data-state="${state}">
    <h3>Server <span class="chip chip-${name}">${name}</span></h3>
    <p class="roles">${roles.map((role) => html`<span class="role">${role}</span> `)}</p>
    <p class="state"><span data-words>${stateWords({ state, pid })}</span></p>
    <form method="post" action="/control/kill" data-kill>
      <input type="hidden" name="server" value="${name}" />
      <input type="hidden" name="back" value="${addressOf(view, page)}" />
      <button type="submit" class="kill" ${state !== 'up' && html`disabled`}>
        ${answers ? 'Kill this server' : `Kill server ${name}`}
      </button>
    </form>
  </div>`
}

function stateWords({ state, pid }: ServerSight): string {
  if (state === 'up') return `up, process ${pid}`
  return state === 'down' ? 'killed; back in seconds' : 'starting'
}

function liveWords({ surroundings: { servers }, world }: View, page: Page): string {
  const down = SERVER_NAMES.filter((name) => servers[name].state !== 'up')
  if (down.length > 0) return `Server ${down.join(' and ')} is down, and comes back in a few seconds.`
  return page.status === 403 ? 'Both servers are up.' : world.invitation
}

const ONE_STORE = html`<div class="node store">
  <h3>One store</h3>
  <p>LMDB, used by both</p>
</div>`

function ownStore(name: ServerName): Html {
  return html`<svg
      class="wire straight straight-${name}"
      viewBox="0 0 100 100"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path class="wide to-${name}" d="M0 50H100" />
      <path class="narrow to-${name}" d="M50 0V100" />
    </svg>
    <div class="node store own-${name}">
      <h3>Memory of ${name}</h3>
      <p><span class="alive">of this process only</span><span class="lost">gone with the process</span></p>
    </div>`
}

/** From the browser to the balancer. */
const LINE = html`<svg class="wire line" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
  <path class="wide always" d="M0 50H100" />
  <path class="narrow always" d="M50 0V100" />
</svg>`

/** From one to two, or back: wide pictures run to the right, narrow ones downwards. */
function fork(direction: 'fan-out' | 'fan-in'): Html {
  const paths = {
    'fan-out': {
      wide: { A: 'M0 50C60 50 40 25 100 25', B: 'M0 50C60 50 40 75 100 75' },
      narrow: { A: 'M50 0C50 60 25 40 25 100', B: 'M50 0C50 60 75 40 75 100' },
    },
    'fan-in': {
      wide: { A: 'M0 25C60 25 40 50 100 50', B: 'M0 75C60 75 40 50 100 50' },
      narrow: { A: 'M25 0C25 60 50 40 50 100', B: 'M75 0C75 60 50 40 50 100' },
    },
  }[direction]
  const drawn = SERVER_NAMES.map(
    (name) =>
      html`<path class="wide to-${name}" d="${paths.wide[name]}" /><path
          class="narrow to-${name}"
          d="${paths.narrow[name]}"
        />`,
  )
  return html`<svg class="wire ${direction}" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
    ${drawn}
  </svg>`
}
