/**
 * What Redis does in one step: scripts that touch one key each, `KEYS[1]`. They run on Redis 7.0 and later
 * and on Valkey. The clock is the server's own; like every clock of a store here it never goes back behind
 * a time that the key remembers.
 *
 * `allow-oom`: runs on a full server too, because it frees memory, takes none, or ends something.
 */
import { createHash } from 'node:crypto'

import { BAR, EPOCH_FIELD } from './keys.ts'

/** A script, and the name under which the server keeps it. */
export interface Script {
  readonly source: string
  readonly sha: string
}

function script(flags: '' | 'allow-oom' | 'no-writes', body: string): Script {
  const source = `#!lua${flags === '' ? '' : ` flags=${flags}`}\n${body.trim()}\n`
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

const CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function ms(value) return string.format('%.0f', value) end
`

/** The user's time: never before the latest one in the index. */
const USER_CLOCK = `${CLOCK}
local latest = tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'REV', 'WITHSCORES')[2]) or 0
if latest > now then now = latest end
`

const KEEP = `
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
`

/** `version record ttl` → 1, or what stood there instead. */
export const REPLACE: Script = script(
  '',
  `
local head = redis.call('GETRANGE', KEYS[1], 0, 8)
if string.sub(head, 1, 1) == '\\0' or string.sub(head, 2) ~= ARGV[1] then
  return redis.call('GET', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`,
)

/**
 * `expectedAt expected writtenAt written ttl` → 1 and the record with the bytes written, or 0 and what stood there
 * instead. Places count from 0.
 */
export const PATCH: Script = script(
  '',
  `
local found = redis.call('GET', KEYS[1])
local from = tonumber(ARGV[1])
if not found or string.sub(found, 1, 1) == '\\0' or string.sub(found, from + 1, from + #ARGV[2]) ~= ARGV[2] then
  return {0, found}
end
local at = tonumber(ARGV[3])
if at + #ARGV[4] > #found then return {0, found} end
local record = string.sub(found, 1, at) .. ARGV[4] .. string.sub(found, at + #ARGV[4] + 1)
redis.call('SET', KEYS[1], record, 'PX', ARGV[5])
return {1, record}
`,
)

/** `ttl` → the first byte of what was there; empty where nothing was. */
export const TOUCH: Script = script(
  'allow-oom',
  `
local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if kind ~= '' and kind ~= '\\0' then redis.call('PEXPIRE', KEYS[1], ARGV[1], 'GT') end
return kind
`,
)

/**
 * `marker ttl [offset bytes]` → 1, or the record that does not have those bytes at that place. A marker that is there is
 * written again as it is: WAIT asks for this connection's last write, and another's may not have reached a replica yet.
 */
export const END: Script = script(
  'allow-oom',
  `
local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if kind == '\\0' then
  redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]), 'KEEPTTL')
  return 1
end
if kind ~= '' and ARGV[3] then
  local first = tonumber(ARGV[3])
  if redis.call('GETRANGE', KEYS[1], first, first + #ARGV[4] - 1) ~= ARGV[4] then
    return redis.call('GET', KEYS[1])
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
)

/** `lifetime selector` → notBefore, now. A sign-in in the very millisecond of a bar, or of another one, gets the next one. */
export const ENROLL: Script = script(
  '',
  `${USER_CLOCK}
local bar = tonumber(redis.call('ZSCORE', KEYS[1], '${BAR}')) or 0
if now <= latest then now = latest + 1 end
redis.call('ZADD', KEYS[1], ms(now), ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ms(now - tonumber(ARGV[1])))
if bar > 0 then redis.call('ZADD', KEYS[1], ms(bar), '${BAR}') end
${KEEP}
return {bar, now}
`,
)

/** `selector until`: takes the visit out where it was entered by then. */
export const WITHDRAW: Script = script(
  'allow-oom',
  `
local since = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
if since and since <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
`,
)

/** → now, and the members of the index with their times. */
export const ROLL: Script = script(
  'no-writes',
  `${USER_CLOCK}
return {now, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
`,
)

/** `lifetime` → as `ROLL`, after `notBefore` was moved to now. It writes in any case, as `END` does. */
export const BAR_USER: Script = script(
  'allow-oom',
  `${USER_CLOCK}
redis.call('ZADD', KEYS[1], ms(now), '${BAR}')
redis.call('PEXPIRE', KEYS[1], ms(math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[1]))))
return {now, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
`,
)

/** `owner ttl` → who holds the lease now. */
export const HOLD_LEASE: Script = script(
  'allow-oom',
  `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
`,
)

const EPOCH_CLOCK = `${CLOCK}
local epoch = tonumber(redis.call('HGET', KEYS[1], '${EPOCH_FIELD}')) or 0
`

/** → epoch, now. */
export const EPOCH: Script = script(
  'no-writes',
  `${EPOCH_CLOCK}
if epoch > 0 and now <= epoch then now = epoch + 1 end
return {epoch, now}
`,
)

/** → the epoch, moved to now; where `EPOCH` was ahead of the clock, to what it answered. */
export const MOVE_EPOCH: Script = script(
  'allow-oom',
  `${EPOCH_CLOCK}
if now <= epoch then now = epoch + 1 end
redis.call('HSET', KEYS[1], '${EPOCH_FIELD}', ms(now))
return now
`,
)
