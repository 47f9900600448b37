export const figures = [3, 1, 4, 1, 5];
