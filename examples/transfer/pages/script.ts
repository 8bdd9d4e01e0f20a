/**
 * The page's script. Without it everything works too: it makes a reload ask for the page again instead of sending
 * the form again, kills a server without leaving the page, and tells at once when a server dies or comes back.
 */
export const SCRIPT = `
'use strict'
history.replaceState(null, '', document.body.dataset.address)

const live = document.getElementById('live')
const invitation = live.textContent
const words = {
  up: (server) => 'up, process ' + server.pid,
  down: () => 'killed; back in seconds',
  starting: () => 'starting',
}
const news = {
  up: (name, server) => 'Server ' + name + ' is back, as a new process.',
  down: (name) => 'Server ' + name + ' is dead. Carry on, and see. It comes back in a few seconds.',
  starting: (name) => 'Server ' + name + ' is starting.',
}

function show(servers) {
  for (const node of document.querySelectorAll('[data-server]')) {
    const name = node.dataset.server
    const server = servers[name]
    node.querySelector('[data-words]').textContent = words[server.state](server)
    // Not 'disabled': that would take the keyboard's focus away from whoever just pressed it.
    node.querySelector('button').setAttribute('aria-disabled', String(server.state !== 'up'))
    node.querySelector('button').disabled = false
    if (node.dataset.state === server.state) continue
    node.dataset.state = server.state
    live.textContent = news[server.state](name, server)
  }
}

function watch() {
  const events = new EventSource('/control/events')
  events.addEventListener('message', (event) => show(JSON.parse(event.data)))
  addEventListener('pagehide', () => events.close(), { once: true })
}
watch()
// A page that one comes back to may be the very one that was left.
addEventListener('pageshow', (event) => event.persisted && watch())

for (const form of document.querySelectorAll('[data-kill]')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (form.querySelector('button').getAttribute('aria-disabled') === 'true') return
    const body = new URLSearchParams(new FormData(form))
    fetch(form.action, { method: 'POST', body, headers: { accept: 'application/json' } }).catch(() => form.submit())
  })
}
`
