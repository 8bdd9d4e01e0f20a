/** What only one machine understands has no place in the project: absolute paths of homes, and paths that leave it. */
import path from 'node:path'

import { readText } from './project.mjs'
import { files } from './source.mjs'

const absolute = /(?<![.\w])\/(?:home|root|work|tmp|Users)\/[\w.-]*/g
const upwards = /(?:\.\.\/)+[\w.-]+/g
const texts = /\.(?:[cm]?[jt]s|json|md|html|css|svg|cfg|conf|sh|ya?ml|txt)$|(?:^|\/)(?:[^./]+|\.[^./]+)$|\.ci\/run$/
const publicRegistry = 'https://registry.npmjs.org/'

/** Places where such a path is meant. @type {readonly { file: string, text: string }[]} */
const meant = []

/** @returns {string[]} */
export function machinePathComplaints() {
  return files()
    .filter((file) => texts.test(file))
    .flatMap((file) => (file === 'package-lock.json' ? lockComplaints(file) : textComplaints(file)))
}

/** @param {string} file */
function textComplaints(file) {
  return readText(file)
    .split('\n')
    .flatMap((text, index) =>
      [...(text.match(absolute) ?? []), ...(text.match(upwards) ?? []).filter((found) => leaves(file, found))]
        .filter((found) => !meant.some((place) => place.file === file && found.includes(place.text)))
        .map((found) => `${file}:${index + 1}: ${found}`),
    )
}

/** Compiled programs are one folder deeper than their sources. @param {string} file @param {string} found */
function leaves(file, found) {
  const folder = path.posix.dirname(file.endsWith('.ts') ? `build/${file}` : file)
  return path.posix.join(folder, found).startsWith('../')
}

/** @param {string} file @returns {string[]} */
function lockComplaints(file) {
  const addresses = readText(file).match(/(?<="resolved": ")[^"]+/g) ?? []
  return addresses.filter((address) => !address.startsWith(publicRegistry)).map((address) => `${file}: ${address}`)
}
