/// An image in RGB, 8 bits per channel, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// `3 * width * height` bytes.
    pub(crate) rgb: Vec<u8>,
}

/// The bytes of one pixel.
pub(crate) const CHANNELS: usize = 3;

impl Pixels {
    /// Rows of three bytes for each pixel. `None` if there are more or fewer bytes.
    pub fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Option<Self> {
        (Some(rgb.len()) == width.checked_mul(height)?.checked_mul(CHANNELS)).then_some(Self { width, height, rgb })
    }

    /// Black pixels.
    pub(crate) fn black(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![0; CHANNELS * width * height] }
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Three bytes for each pixel, row by row: everything that the model sees of an image.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    pub(crate) fn row(&self, row: usize) -> &[u8] {
        &self.rgb[CHANNELS * self.width * row..][..CHANNELS * self.width]
    }

    /// The window of this size in the middle, with black around an image that is smaller.
    pub(crate) fn center_crop(self, width: usize, height: usize) -> Self {
        if (self.width, self.height) == (width, height) {
            return self;
        }
        let mut cropped = Self::black(width, height);
        let (columns, rows) = (Overlap::new(self.width, width), Overlap::new(self.height, height));
        for row in 0..rows.length {
            let from = &self.row(rows.from + row)[CHANNELS * columns.from..][..CHANNELS * columns.length];
            let to = CHANNELS * (width * (rows.to + row) + columns.to);
            cropped.rgb[to..][..from.len()].copy_from_slice(from);
        }
        cropped
    }
}

/// Where an image and its window overlap in one direction.
struct Overlap {
    /// First pixel of the image.
    from: usize,
    /// Where it is in the window.
    to: usize,
    length: usize,
}

impl Overlap {
    /// `transformers` rounds a crop's start down. It pads a smaller image by half of the difference, rounded up, and then crops what the
    /// other direction's padding has added.
    fn new(image: usize, window: usize) -> Self {
        match image.checked_sub(window) {
            Some(cut) => Self { from: cut / 2, to: 0, length: window },
            None => Self { from: 0, to: (window - image).div_ceil(2), length: image },
        }
    }
}
