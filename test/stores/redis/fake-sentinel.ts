/** Something that answers like a Sentinel, and names whom a test says. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

import { onTestFinished } from 'vitest'

export interface FakeSentinel {
  readonly port: number
  /** How often it was asked for the primary. */
  readonly asked: number
  /** The port of whom it names. */
  named: number
  /** Names another one from now on, and tells those who listen. */
  announce(name: string, port: number): void
}

/** Names the server on this port of the loopback interface, until the test is over. */
export async function fakeSentinel(named: number): Promise<FakeSentinel> {
  const listeners = new Set<Socket>()
  const fake = {
    port: 0,
    asked: 0,
    named,
    announce(name: string, port: number): void {
      const message = `${name} 127.0.0.1 ${fake.named} 127.0.0.1 ${port}`
      fake.named = port
      for (const socket of listeners) socket.write(`*3\r\n${bulk('message')}${bulk('+switch-master')}${bulk(message)}`)
    },
  }
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.setEncoding('latin1').on('data', (text: string) => {
      for (const words of commandsIn(text)) {
        if (/^subscribe$/i.test(words[0] ?? '')) listeners.add(socket)
        if (words.includes('GET-MASTER-ADDR-BY-NAME')) fake.asked += 1
        socket.write(answerTo(words, fake.named))
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  fake.port = (server.address() as AddressInfo).port
  onTestFinished(() => void server.close())
  return fake
}

/** Whole commands, each an array of strings. */
function commandsIn(text: string): string[][] {
  return text
    .split(/^\*\d+\r\n/m)
    .filter((part) => part !== '')
    .map((part) => part.split('\r\n').filter((_, at) => at % 2 === 1))
}

function answerTo([name = '', subject = '', channel = '']: string[], named: number): string {
  if (/^subscribe$/i.test(name)) return `*3\r\n${bulk('subscribe')}${bulk(subject)}:1\r\n`
  if (subject === 'GET-MASTER-ADDR-BY-NAME' && channel !== '') return `*2\r\n${bulk('127.0.0.1')}${bulk(String(named))}`
  return subject === 'SENTINELS' ? '*0\r\n' : '+OK\r\n'
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`
}
