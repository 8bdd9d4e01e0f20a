/** The diagram's style: from left to right where there is room, from top to bottom where there is not. */
export const MAP_STYLE = `
.map { display: grid; margin-top: 1.25rem; font-size: 0.875rem; line-height: 1.4; }
.node { border: 1px solid var(--line); border-radius: 0.75rem; background: var(--sunken); padding: 0.75rem 0.875rem; align-self: center; min-width: 0; }
.node p { color: var(--soft); overflow-wrap: anywhere; }
.node code { white-space: nowrap; }
.lost { display: none; }
.server { align-self: stretch; display: grid; gap: 0.25rem; align-content: start; border: 2px solid var(--line); }
.server h3 { display: flex; align-items: center; gap: 0.5rem; }
.roles { display: flex; flex-wrap: wrap; gap: 0.25rem; min-height: 1.625rem; }
.role { color: var(--ink); border: 1px solid currentColor; border-radius: 1rem; padding: 0.0625rem 0.5625rem; font-size: 0.8125rem; }
.answered-A .server-A { border-color: var(--a); background: var(--a-wash); }
.answered-B .server-B { border-color: var(--b); background: var(--b-wash); }
.answered-A .server-A .role:last-child, .answered-B .server-B .role:last-child { font-weight: 700; }
.made-A .server-A { border-color: var(--a); }
.made-B .server-B { border-color: var(--b); }
.answered-A .server-B, .answered-B .server-A { border-style: dashed; }
.state::before { content: '●'; color: var(--good); margin-inline-end: 0.375rem; }
[data-state='starting'] .state::before { content: '◐'; color: var(--soft); }
[data-state='down'] .state::before { content: '✕'; color: var(--bad); font-weight: 700; }
[data-state='down'] .state { color: var(--bad); }
.map [data-state='down'] { border: 2px dotted var(--bad); background: repeating-linear-gradient(135deg, transparent 0 7px, var(--bad-wash) 7px 9px); }
.server-A[data-state='down'] ~ .own-A, .server-B[data-state='down'] ~ .own-B { border: 1px dotted var(--bad); }
.server-A[data-state='down'] ~ .own-A .lost, .server-B[data-state='down'] ~ .own-B .lost { display: inline; color: var(--bad); }
.server-A[data-state='down'] ~ .own-A .alive, .server-B[data-state='down'] ~ .own-B .alive { display: none; }
.kill { font-size: 0.8125rem; margin-top: 0.25rem; background: var(--surface); }
.kill:hover { border-color: var(--bad); color: var(--bad); }
.live { margin-top: 1.125rem; color: var(--soft); min-height: 1.55em; }
.wire { width: 100%; height: 100%; min-height: 1.5rem; overflow: visible; }
.wire path { fill: none; stroke: var(--edge); stroke-width: 1.5; stroke-dasharray: 2 5; vector-effect: non-scaling-stroke; stroke-linecap: round; }
.wire .always { stroke: var(--ink); stroke-dasharray: none; stroke-width: 2.5; }
.made-A .fan-out .to-A { stroke: var(--a); stroke-dasharray: 7 5; stroke-width: 2; }
.made-B .fan-out .to-B { stroke: var(--b); stroke-dasharray: 7 5; stroke-width: 2; }
.answered-A .fan-out .to-A, .answered-A.tripped .to-A { stroke: var(--a); stroke-dasharray: none; stroke-width: 3; }
.answered-B .fan-out .to-B, .answered-B.tripped .to-B { stroke: var(--b); stroke-dasharray: none; stroke-width: 3; }
.answered-A.tripped .own-A { border-color: var(--a); }
.answered-B.tripped .own-B { border-color: var(--b); }
.tripped.stores-one .store { border-color: var(--ink); }
@media (max-width: 57.99rem) {
  .wide { display: none; }
  .map { grid-template-columns: 1fr 1fr; column-gap: 0.75rem; }
  .browser, .balancer, .line, .fan-out, .fan-in, .stores-one .store { grid-column: 1 / -1; }
  .browser, .balancer, .stores-one .store { justify-self: center; text-align: center; min-width: 60%; }
  .browser, .stores-one .store { display: flex; flex-wrap: wrap; justify-content: center; align-items: baseline; column-gap: 0.5rem; }
  .node { padding: 0.5rem 0.625rem; }
  .kill { padding-inline: 0.5rem; }
  .wire { height: 1.75rem; }
  .line { height: 1.25rem; min-height: 1.25rem; }
  .server-A, .straight-A, .own-A { grid-column: 1; }
  .server-B, .straight-B, .own-B { grid-column: 2; }
  .server { grid-row: 5; }
  .straight { grid-row: 6; }
  .stores-own .store { grid-row: 7; }
}
@media (min-width: 58rem) {
  .narrow { display: none; }
  .map { grid-template: 1fr 1fr / minmax(8rem, 1fr) 2.25rem minmax(9rem, 1.1fr) 5rem minmax(13rem, 1.6fr) 5rem minmax(9rem, 1.1fr); row-gap: 0.875rem; }
  .browser, .balancer, .line, .fan-out, .fan-in, .stores-one .store { grid-row: 1 / -1; }
  .browser { grid-column: 1; } .line { grid-column: 2; } .balancer { grid-column: 3; } .fan-out { grid-column: 4; }
  .server { grid-column: 5; } .fan-in, .straight { grid-column: 6; } .store { grid-column: 7; }
  .server-A, .straight-A, .own-A { grid-row: 1; }
  .server-B, .straight-B, .own-B { grid-row: 2; }
}
`
