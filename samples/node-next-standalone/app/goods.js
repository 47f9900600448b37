export const goods = ['tea', 'kettle', 'cups'];
