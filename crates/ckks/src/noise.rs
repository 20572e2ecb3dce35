pub fn todo_noise() {}
