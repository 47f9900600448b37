export const goods = ['issue 1', 'issue 2'];
