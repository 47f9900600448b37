import bcrypt from 'bcrypt';

export const hash = (password) => bcrypt.hash(password, 8);
export const verify = (password, known) => bcrypt.compare(password, known);
