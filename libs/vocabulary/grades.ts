import { ApprovalGrade } from './words.js';

const GRADES = ApprovalGrade.options;

/** Whether a grade is as high as another one, or higher. */
export const reaches = (grade: ApprovalGrade, needed: ApprovalGrade): boolean =>
  GRADES.indexOf(grade) >= GRADES.indexOf(needed);

/** The highest of some grades; undefined if there is none. */
export const highest = (grades: readonly ApprovalGrade[]): ApprovalGrade | undefined =>
  GRADES.findLast((grade) => grades.includes(grade));
