//! The way from the root of the tree to a leaf.

/// Most inner nodes on a path. Inner nodes other than the root have far more than four children on average, so
/// a tree with as many items as a handle can name is not nearly as high.
const HEIGHT_MAX: usize = 10;

/// The inner nodes from the root down to a leaf, and which child comes next in each. Levels count from
/// the leaf, which is level 0; so they stay the same when the root gets a parent.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    steps: [Step; HEIGHT_MAX],
    height: usize,
}

/// An inner node on a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// The number of the node.
    pub node: u32,
    /// The index of the child that the path goes to.
    pub at: u32,
}

impl Path {
    /// The path of a tree that is one leaf.
    #[inline]
    pub fn new() -> Path {
        Path { steps: [Step { node: 0, at: 0 }; HEIGHT_MAX], height: 0 }
    }

    /// Number of inner nodes.
    #[inline]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Goes on to child `at` of `node`.
    ///
    /// # Panics
    /// If the path is too long.
    #[inline]
    pub fn push(&mut self, node: u32, at: usize) {
        self.steps[self.height] = Step { node, at: at as u32 };
        self.height += 1;
    }

    /// Puts `node` before the root. The old root is its first child.
    ///
    /// # Panics
    /// If the path is too long.
    pub fn push_root(&mut self, node: u32) {
        self.steps.copy_within(0..self.height, 1);
        self.steps[0] = Step { node, at: 0 };
        self.height += 1;
    }

    /// The inner node at `level`, which is at least 1.
    #[inline]
    pub fn step(&self, level: usize) -> Step {
        self.steps[self.height - level]
    }

    /// Replaces the step at `level`.
    pub fn set(&mut self, level: usize, node: u32, at: usize) {
        self.steps[self.height - level] = Step { node, at: at as u32 };
    }

    /// Cuts off the steps below `level`; the path then ends with that step.
    pub fn cut(&mut self, level: usize) {
        self.height -= level - 1;
    }

    /// The steps from the root on.
    #[inline]
    pub fn steps(&self) -> &[Step] {
        &self.steps[..self.height]
    }

    /// Notes that inner node `from` has the number `to` now.
    pub fn rename(&mut self, from: u32, to: u32) {
        for step in &mut self.steps[..self.height] {
            if step.node == from {
                step.node = to;
            }
        }
    }
}
