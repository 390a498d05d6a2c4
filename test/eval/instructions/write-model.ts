import { readFileSync, writeFileSync } from 'node:fs';
import { languageOf } from '../../../libs/content/instructions/sentences.js';
import type { InstructionPack } from '../../../libs/content/instructions/pack.js';
import { readCorpus } from './corpus.js';
import { learn } from './train.js';
import { crossValidated, thresholdOf } from './validate.js';

/**
 * Learns the model of a pack that is not released yet from the public corpora, and writes it next to its rules. The same
 * corpora give the same bytes.
 */
const folder = process.argv[2] ?? 'libs/content/packs/1';
const pack = JSON.parse(readFileSync(`${folder}/instructions.json`, 'utf8')) as InstructionPack;
const { vocabulary } = languageOf(pack);
const corpus = readCorpus();
const threshold = thresholdOf(crossValidated(corpus, vocabulary));
const { card, weights } = learn(corpus.rows, corpus.digest, vocabulary);
writeFileSync(`${folder}/model.json`, `${JSON.stringify({ ...card, threshold }, undefined, 2)}\n`);
writeFileSync(`${folder}/model.bin`, weights);
console.log(`threshold ${threshold.toFixed(3)}, corpus ${corpus.digest}`);
